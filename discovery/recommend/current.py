"""The model that counts, looked for again and again: whoever serves has a new one soon after it is there."""

import logging
from pathlib import Path

from discovery.recommend.files import current_id, model_ids, read_model
from discovery.recommend.model import Model
from discovery.recommend.together import ModelTogether
from model.errors import ModelMalformed

log = logging.getLogger(__name__)


class CurrentModel:
    """The current model of a folder. Where it is damaged, that which was there before stays; in a process that has
    none yet, the newest older one takes its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: str | None = None  # what `current` named at the last look, usable or not
        self.model: Model | None = None
        self.model_id: str | None = None

    @property
    def together(self) -> ModelTogether | None:
        """What the model says of tracks that are played together; None without one."""
        model = self.model
        return ModelTogether(model) if model is not None else None

    def look(self) -> None:
        """Take up what `current` names, if that changed. Blocks while a model is read. Never raises: what is wrong
        with a model is logged once."""
        try:
            wanted = current_id(self._folder)
        except ModelMalformed as error:
            wanted = f"malformed {error}"
            if wanted != self._seen:
                _log(error)
            candidates = model_ids(self._folder)
        else:
            candidates = [each for each in model_ids(self._folder) if wanted and each <= wanted]
        if wanted == self._seen:
            return
        self._seen = wanted
        if wanted is None:  # all of it was removed
            self.model = self.model_id = None
        for each in candidates:
            if self.model is not None and each != wanted:
                break  # what is in use is as good as any other that is not wanted
            try:
                self.model, self.model_id = read_model(self._folder, each), each
            except ModelMalformed as error:
                _log(error)
            else:
                log.info("model in use", extra={"model_id": each})
                break


def _log(error: ModelMalformed) -> None:
    log.warning("model not usable", extra={"error_code": error.code, "error": str(error), "hint": error.hint})
