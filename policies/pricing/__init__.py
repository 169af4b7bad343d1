"""What a plan costs: prices, nodes that replicas need, and the bill for them. Pure; money is in whole numbers."""
