"""What containers request, what they should, and what that saves: for `foresail recommend resources`."""
