"""A model of the catalogue -> what the platform routes tell of it."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec

from penstock.api.deepinfra.answers import (
    ModelFactsOut,
    ModelFamilyOut,
    ModelFieldInfo,
    ModelInfoOut,
    ModelOut,
    ModelVersionOut,
    PricingSectionOut,
    SchemaOut,
    SchemaVariant,
)
from penstock.api.deepinfra.fields import fields_of, schema_of
from penstock.api.openai.models import ENDPOINTS, Endpoint
from penstock.api.openai.request import honoured_fields
from penstock.api.pricing import pricing
from penstock.domain.catalogue import CatalogueEntry, ModelType
from penstock.domain.errors import NotFound
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities, Task
from penstock.domain.version import Version
from penstock.gateway.deployment import Deployment

#: DeepInfra's keys of the ways to ask, and the task that each is for.
VARIANTS: dict[str, Task] = {
    "openai-chat-completions": "chat",
    "openai-completions": "completions",
    "openai-embeddings": "embeddings",
    "openai-images": "images",
    "openai-images-edits": "image_edits",
    "openai-images-variations": "image_variations",
    "rerank": "rerank",
    "zero-shot-image-classification": "zero_shot_image_classification",
}
DEFAULT_VARIANT = "default"

#: What a model that does a task is; the first that it does counts.
TYPES: dict[Task, ModelType] = {
    "chat": "text-generation",
    "completions": "text-generation",
    "embeddings": "embeddings",
    "rerank": "reranker",
    "images": "text-to-image",
    "zero_shot_image_classification": "zero-shot-image-classification",
}
TASKS: dict[ModelType, tuple[Task, ...]] = {
    "text-generation": ("chat", "completions"),
    "embeddings": ("embeddings",),
    "reranker": ("rerank",),
    "text-to-image": ("images",),
    "zero-shot-image-classification": ("zero_shot_image_classification",),
}
EXAMPLES: dict[Task, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hello!"}]},
    "completions": {"prompt": "Once upon a time"},
    "embeddings": {"input": "The food was delicious."},
    "rerank": {"query": "What is a penstock?", "documents": ["A gate.", "A fruit."]},
    "images": {"prompt": "a red house", "size": "512x512"},
    "zero_shot_image_classification": {
        "image": "data:image/png;base64,iVBORw0KGgo…",
        "candidate_labels": ["a dog", "a cat"],
    },
}
OUT_EXAMPLES: dict[Task, str] = {
    "chat": '{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, '
    '"finish_reason": "stop"}]}',
    "completions": '{"choices": [{"index": 0, "text": ", there was", "finish_reason": "length"}]}',
    "embeddings": '{"data": [{"index": 0, "embedding": [0.012, -0.034]}]}',
    "rerank": '{"results": [{"index": 0, "relevance_score": 0.98}]}',
    "images": '{"data": [{"b64_json": "iVBORw0KGgo…"}]}',
    "zero_shot_image_classification": '{"results": [{"label": "a dog", "score": 0.98}]}',
}
COMMANDS: dict[Task, str] = {
    "chat": "penstock chat {model}",
    "embeddings": "penstock embed -m {model} 'The food was delicious.'",
    "images": "penstock draw -m {model} 'a red house'",
}
_SAFE_HOST = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)


class Sight(msgspec.Struct, frozen=True):
    """A model as one caller sees it; `host` is the address by which they came."""

    entry: CatalogueEntry
    deployment: Deployment | None
    principal: Principal
    host: str = "localhost"

    @property
    def can(self) -> Capabilities | None:
        """What it can do, where that is known."""
        return self.deployment.capabilities if self.deployment is not None else None

    @property
    def type(self) -> ModelType:
        """By what it can do; before that is known, by what was said of it."""
        if self.can is not None:
            for task, type_ in TYPES.items():
                if task in self.can.tasks:
                    return type_
        return self.entry.type

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks it does, the most telling first."""
        if self.can is not None:
            return tuple(task for task in ENDPOINTS if task in self.can.tasks)
        return TASKS.get(self.entry.type, ())


def model_out(sight: Sight) -> ModelOut:
    entry = sight.entry
    return ModelOut(
        model_name=entry.name,
        type=sight.type,
        reported_type=sight.type,
        description=entry.description,
        tags=list(entry.tags),
        pricing=pricing(sight.type, entry.prices),
        max_tokens=_context_length(sight),
        replaced_by=entry.replaced_by,
        deprecated=_unix(entry.deprecated_at),
        quantization=entry.quantisation,
        private=int(entry.private),
        create_ts=entry.created_at.isoformat(),
    )


def model_info(sight: Sight, version: Version | None) -> ModelInfoOut:
    """All of a model. `version` None: none is known yet."""
    entry, can = sight.entry, sight.can
    task = sight.tasks[0] if sight.tasks else None
    end = ENDPOINTS[task] if task is not None else None
    fields = _fields(end, can) if end is not None else []
    honoured = _honoured(end, can) if end is not None else ()
    return ModelInfoOut(
        model_name=entry.name,
        type=sight.type,
        reported_type=sight.type,
        version=version.id if version is not None else "",
        tags=list(entry.tags),
        description=entry.description,
        featured=entry.featured,
        owner=entry.account_id == sight.principal.account_id,
        public=not entry.private,
        curl_inv=_curl(sight, task),
        cmdline_inv=COMMANDS.get(task, "").format(model=entry.name) if task is not None else "",
        txt_docs=_text_docs(fields, end, can),
        out_example=OUT_EXAMPLES.get(task, "") if task is not None else "",
        out_docs="",
        in_schema=schema_of(end.takes, honoured) if end is not None else None,
        out_schema=schema_of(end.gives) if end is not None else None,
        in_fields=fields,
        pricing=pricing(sight.type, entry.prices),
        schemas=variants(sight),
        meta=_facts(sight),
        max_tokens=_context_length(sight),
        max_output_tokens=can.context_length if can is not None else None,
        replaced_by=entry.replaced_by,
        deprecated=_unix(entry.deprecated_at),
        quantization=entry.quantisation,
        import_time=version.created_at.isoformat() if version is not None else None,
        is_custom_deployable=not entry.private and sight.type == "text-generation",
    )


def version_out(version: Version) -> ModelVersionOut:
    return ModelVersionOut(
        model_name=version.model,
        version=version.id,
        uploaded_at=version.created_at.isoformat(),
    )


def variants(sight: Sight) -> list[SchemaVariant]:
    """The ways to ask a model, `default` first: the one that says most."""
    keys = [(key, task) for key, task in VARIANTS.items() if task in sight.tasks]
    default = [(DEFAULT_VARIANT, task) for _, task in keys[:1]]
    return [SchemaVariant(key, _url(sight, task)) for key, task in [*default, *keys]]


def schema_out(sight: Sight, key: str) -> SchemaOut:
    """One way to ask a model. Raises NotFound, naming those there are."""
    known = variants(sight)
    variant = next((each for each in known if each.key == key), None)
    if variant is None:
        keys = ", ".join(each.key for each in known)
        raise NotFound(f"{sight.entry.name!r} is not asked by {key[:100]!r}. It is by: {keys}.")
    task = VARIANTS[key if key != DEFAULT_VARIANT else known[1].key]
    end = ENDPOINTS[task]
    return SchemaOut(
        variant=variant,
        schema_in=schema_of(end.takes, _honoured(end, sight.can)),
        schema_out=schema_of(end.gives),
        fields_in=_fields(end, sight.can),
    )


def family_of(entry: CatalogueEntry) -> str:
    """What was said, or the first part of the name; "" for a name of one part."""
    return (entry.family or entry.name.rpartition("/")[0].partition("/")[0]).lower()


def family_out(name: str, sights: Sequence[Sight]) -> ModelFamilyOut:
    models = sorted(map(model_out, sights), key=lambda model: model.type)
    return ModelFamilyOut(
        name=name,
        title=name,
        description=f"The models of {name} that are served here.",
        developer=name,
        featured_models=[s.entry.name for s in sights if s.entry.featured],
        pp_sections_out=[
            PricingSectionOut(section_id=type_, ptype=type_, title=type_, entries=list(entries))
            for type_, entries in groupby(models, key=lambda model: model.type)
        ],
    )


def families(entries: Iterable[CatalogueEntry]) -> list[str]:
    return sorted({family for entry in entries if (family := family_of(entry))})


def safe_host(header: bytes | None) -> str:
    """The Host header of a request, where it is one that may be shown."""
    host = (header or b"").decode("latin-1")
    return host if _SAFE_HOST.fullmatch(host) else "localhost"


def _context_length(sight: Sight) -> int | None:
    if sight.can is not None:
        return sight.can.context_length or sight.can.max_input_tokens
    return sight.entry.context_length


def _unix(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment is not None else None


def _honoured(end: Endpoint, can: Capabilities | None) -> tuple[str, ...]:
    """The fields that the model honours; all, while that is not known."""
    return (
        tuple(honoured_fields(end.takes, can)) if can is not None else end.takes.__struct_fields__
    )


def _fields(end: Endpoint, can: Capabilities | None) -> list[ModelFieldInfo]:
    return fields_of(end.takes, _honoured(end, can))


def _url(sight: Sight, task: Task) -> str:
    return f"http://{sight.host}/v1/openai/{ENDPOINTS[task].path}"


def _curl(sight: Sight, task: Task | None) -> str:
    if task not in EXAMPLES:
        return ""
    body = msgspec.json.encode({"model": sight.entry.name, **EXAMPLES[task]}).decode()
    return (
        f"curl {_url(sight, task)} -H 'Content-Type: application/json' "
        f"-H \"Authorization: Bearer $PENSTOCK_API_KEY\" -d '{body}'"
    )


def _text_docs(fields: list[ModelFieldInfo], end: Endpoint | None, can: Capabilities | None) -> str:
    """Each field in a line, and the input format, for people."""
    if end is None:
        return ""
    lines = [f"POST /v1/openai/{end.path}", ""]
    lines += [f"{f'{f.parent}.' if f.parent else ''}{f.name}: {f.ftype}" for f in fields]
    if can is not None and can.input_format is not None:
        lines += ["", "Input format, for raw completions:", "", can.input_format]
    return "\n".join(lines)


def _facts(sight: Sight) -> ModelFactsOut:
    deployment, can = sight.deployment, sight.can
    return ModelFactsOut(
        engine=deployment.model.engine if deployment is not None else None,
        state=deployment.group.state if deployment is not None else None,
        licence=sight.entry.licence,
        family=family_of(sight.entry),
        aliases=list(sight.entry.aliases),
        deploy_id=deployment.id if deployment is not None else None,
        input_format=can.input_format if can is not None else None,
    )
