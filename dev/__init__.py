"""The demo's and the tests' stand-ins that are real parts: an embedded Lamassu and its rows."""
