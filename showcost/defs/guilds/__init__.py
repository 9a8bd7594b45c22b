"""What is made for the guilds."""
