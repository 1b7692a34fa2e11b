"""Trained weights in few bytes: pruned, shared, Huffman coded (Deep Compression, arXiv:1510.00149)."""
