"""What the platform routes answer, as typed structs (DeepInfra's OpenAPI document)."""

from typing import Any

import msgspec

from penstock.api.pricing import Pricing
from penstock.domain.catalogue import ModelType


class ModelOut(msgspec.Struct, kw_only=True):
    """A line of the catalogue. `max_tokens` is the context length, `deprecated` unix seconds."""

    model_name: str
    type: ModelType
    reported_type: ModelType
    description: str = ""
    cover_img_url: str = ""
    tags: list[str] = []
    pricing: Pricing
    max_tokens: int | None = None
    replaced_by: str | None = None
    deprecated: int | None = None
    quantization: str | None = None
    mmlu: float | None = None
    expected: str | None = None
    private: int = 0
    is_partner: bool = False
    create_ts: str | None = None


class ModelFieldInfo(msgspec.Struct, kw_only=True):
    """A field of a request. `parent` is the object that it is in, `ftype` a JSON type."""

    name: str
    parent: str | None = None
    ftype: str
    description: str | None = None
    allowed: list[Any] | None = None
    default: Any = None
    examples: list[Any] = []
    minimum: float | None = None
    exclusiveMinimum: float | None = None
    maximum: float | None = None
    exclusiveMaximum: float | None = None


class SchemaVariant(msgspec.Struct):
    """A way to ask a model: the key that DeepInfra knows it by, and where it is asked."""

    key: str
    url: str


class SchemaOut(msgspec.Struct, kw_only=True):
    """What goes in and comes out, as JSON Schemas; `schema_stream` is of one event of a stream."""

    variant: SchemaVariant
    schema_in: dict[str, Any] | None = None
    schema_out: dict[str, Any] | None = None
    schema_stream: dict[str, Any] | None = None
    fields_in: list[ModelFieldInfo]


class ModelFactsOut(msgspec.Struct, kw_only=True):
    """What Penstock adds, in `meta`.

    `input_format` is a sample conversation as the model reads it: what a raw completion has to look
    like. It is null for what is no chat model, and before the model has run for the first time.
    """

    engine: str | None = None
    state: str | None = None
    licence: str = ""
    family: str = ""
    aliases: list[str] = []
    deploy_id: str | None = None
    input_format: str | None = None


class ModelInfoOut(msgspec.Struct, kw_only=True):
    """All that is known of a model, at one version."""

    model_name: str
    type: ModelType
    reported_type: ModelType
    version: str
    tags: list[str]
    description: str | None
    featured: bool
    owner: bool
    public: bool
    curl_inv: str
    cmdline_inv: str
    txt_docs: str
    out_example: str
    out_docs: str
    in_schema: dict[str, Any] | None
    out_schema: dict[str, Any] | None
    in_fields: list[ModelFieldInfo]
    pricing: Pricing
    doc_blocks: None = None
    short_doc_block: None = None
    schemas: list[SchemaVariant]
    meta: ModelFactsOut
    max_tokens: int | None
    max_output_tokens: int | None
    replaced_by: str | None
    deprecated: int | None
    quantization: str | None
    mmlu: float | None = None
    expected: str | None = None
    import_time: str | None
    is_partner: bool = False
    is_custom_deployable: bool
    mf_name: str | None = None
    mf_title: str | None = None
    mf_description: str | None = None


class ModelVersionOut(msgspec.Struct, kw_only=True):
    """`version` has 64 hexadecimal digits; `uploaded_at` is in ISO 8601."""

    model_name: str
    version: str
    uploaded_at: str


class ModelFamilyOut(msgspec.Struct, kw_only=True):
    """A family and its models. `pp_sections_out` has a section of prices for each type."""

    name: str
    title: str
    description: str
    developer: str
    meta_title: str | None = None
    meta_description: str | None = None
    featured_models: list[str]
    pp_sections_out: list["PricingSectionOut"]
    faq_entries: list[None] = []


class PricingSectionOut(msgspec.Struct, kw_only=True):
    section_id: str
    ptype: str
    title: str
    description: str = ""
    mf_description: str = ""
    entries: list[ModelOut]
