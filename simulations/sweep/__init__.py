"""Sweeps: one what-if scenario in many variants, on all cores or on a Dask cluster, resumed from what is done."""
