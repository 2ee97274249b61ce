"""Arrays as the models use them.

A suffix names the axes: N items, C candidates, L history, P products, F columns, K neighbours.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
