"""Changes behind the back of the books, each of which verification must find."""
