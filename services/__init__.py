"""One use case a file; each decides with domain/ and acts through adapters/ and crud."""
