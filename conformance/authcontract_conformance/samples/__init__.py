"""Valid requests and answers made from schemas."""
