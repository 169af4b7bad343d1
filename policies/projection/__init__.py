"""The next half hour of one workload: if it goes on as now, if it is paused now, with an override."""
