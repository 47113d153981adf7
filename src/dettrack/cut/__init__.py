"""Cut (paper 3.1): keyframes, tubes, and the networks on them."""
