"""The pages: what is made from the code is current, and what they name is there."""
