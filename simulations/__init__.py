"""What-if: drives the decision core of the daemon over recorded or synthetic load on virtual time."""
