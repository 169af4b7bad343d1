"""The audit: what an autoscaler cost and missed over the last weeks, and what Foresail would have done."""
