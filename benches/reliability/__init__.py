"""What was tried to break it: kills, full disks, many queries at once, many fits and models in one process."""
