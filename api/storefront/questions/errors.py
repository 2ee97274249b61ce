"""Errors of questions and answers."""

from api.kernel.errors import Forbidden, NotFound


class QuestionNotFound(NotFound):
    title, code = "No such question", "question-not-found"

    def __init__(self) -> None:
        super().__init__("There is no question with this id.")


class PostNotFound(NotFound):
    """A post is a question or an answer."""

    title, code = "No such question or answer", "post-not-found"

    def __init__(self) -> None:
        super().__init__("There is no question or answer with this id.")


class OwnPost(Forbidden):
    title, code = "This is your own", "own-post"
