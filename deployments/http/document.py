"""The base of the API's JSON documents."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Read from the attributes of a domain object."""

    model_config = ConfigDict(from_attributes=True)
