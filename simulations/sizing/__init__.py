"""Methods of sizing walked forward over recorded usage, and what they would have wasted and missed."""
