"""What the tests share: environment, LNbits itself, clean books. Imported as `support`."""
