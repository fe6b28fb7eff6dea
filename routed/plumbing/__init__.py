"""What every daemon needs and no protocol knows: configuration, maps, log, signals, the process."""
