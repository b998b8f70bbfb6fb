"""The only rooms that touch the outside: Lamassu's database, LNbits' wallets, secrets at rest."""
