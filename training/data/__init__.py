"""From files at rest to the arrays that models train on."""
