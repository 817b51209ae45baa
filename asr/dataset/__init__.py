"""From manifests to batches; nothing here has heard of layers."""
