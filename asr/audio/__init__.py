"""Audio in: files to samples, samples to features."""
