"""The error of files."""

import pickle

from vech.io.errors import FileFormatError


def test_the_error_of_files_survives_pickling():
    error = pickle.loads(pickle.dumps(FileFormatError("is wrong", "a.npy", line=3)))
    assert (error.path, error.line, error.byte, str(error)) == ("a.npy", 3, None, "a.npy, line 3: is wrong")
    assert FileFormatError.__mro__[1] is ValueError
