"""What is made for readers outside: packs that others check. Nothing here changes what is stored."""
