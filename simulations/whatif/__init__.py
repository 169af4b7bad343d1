"""What-if: policies side by side under a scenario, with what chance makes of it."""
