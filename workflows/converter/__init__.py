"""Values to durable bytes and back.

`json_form`: payloads of jobs, one JSON document each. `payload`, `failure`, `data`:
payloads and failures of workflows, shaped like `temporalio.converter`.
"""

from workflows.common import RawValue
from workflows.converter.data import (
    DataConverter,
    PayloadCodec,
    load_data_converter,
)
from workflows.converter.failure import DefaultFailureConverter, FailureConverter
from workflows.converter.json_form import (
    DEFAULT,
    Codec,
    Converter,
    RemoteError,
    Tag,
    decode,
    decode_tagged,
    encode,
    encode_tagged,
    load_codec,
    payload_error,
    register_tag,
)
from workflows.converter.payload import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    CompositePayloadConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    Payload,
    PayloadConverter,
    payload_from_json,
    payload_to_json,
)

__all__ = [
    "DEFAULT",
    "BinaryNullPayloadConverter",
    "BinaryPlainPayloadConverter",
    "Codec",
    "CompositePayloadConverter",
    "Converter",
    "DataConverter",
    "DefaultFailureConverter",
    "DefaultPayloadConverter",
    "EncodingPayloadConverter",
    "FailureConverter",
    "JSONPlainPayloadConverter",
    "Payload",
    "PayloadCodec",
    "PayloadConverter",
    "RawValue",
    "RemoteError",
    "Tag",
    "decode",
    "decode_tagged",
    "encode",
    "encode_tagged",
    "load_codec",
    "load_data_converter",
    "payload_error",
    "payload_from_json",
    "payload_to_json",
    "register_tag",
]
