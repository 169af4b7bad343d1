"""How large containers should be: what they need of CPU and memory, learned from what they used."""
