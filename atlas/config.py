"""`site_config.yaml` as typed, frozen models: one documented line per option.

`load_config` (in this package's `configfile`) reads the file and reports all problems at once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
NOT_BLANK = r"\S"
"""Pattern of a text that holds more than white space."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ModelConfig(_Section):
    """The language model."""

    name: str = Field(description="Hugging Face model name, or a folder with config.json and weights.")
    engine: str = Field(
        default="transformers", description="How to run it: transformers or transformer_lens."
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="Precision of the forward pass; bfloat16 is very slow on most CPUs."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:1 or mps.")
    revision: str | None = Field(
        default=None, description="Commit or tag on the Hub; pin it to be reproducible."
    )
    trust_remote_code: bool = Field(
        default=False, description="Allow the model's own Python code to run. It can do anything you can."
    )


class SaeConfig(_Section):
    """One sparse autoencoder: a folder, a SAELens release, or a Hub repository."""

    slug: str | None = Field(
        default=None,
        pattern=SLUG_PATTERN,
        max_length=60,
        description="Path of its pages ([a-z0-9-]); never change it once published. Default: from its name.",
    )
    title: str | None = Field(
        default=None, pattern=NOT_BLANK, description="Name for people. Default: the SAE's own id."
    )
    format: str = Field(
        default="saelens", description="Reader of its files: an installed atlas.saes extension."
    )
    folder: str | None = Field(default=None, description="Folder with cfg.json and sae_weights.safetensors.")
    release: str | None = Field(default=None, description="SAELens release (or Hub repository) to load from.")
    sae_id: str | None = Field(default=None, description="Id within the release or repository.")
    repo: str | None = Field(
        default=None, description="Hub repository in SAELens layout, with sae_id as the path."
    )
    revision: str | None = Field(
        default=None, description="Commit, tag or branch of that repository; pin it to be reproducible."
    )
    hook_name: str | None = Field(default=None, description="Overrides the hook in its metadata.")
    prepend_bos: bool | None = Field(
        default=None, description="Overrides its metadata (SAELens default: true)."
    )
    norm_scaling_factor: float | None = Field(
        default=None,
        gt=0,
        description="Factor its inputs were multiplied by in training (activation normalisation"
        " expected_average_only_in); folded into the weights and recorded.",
    )


class CorpusConfig(_Section):
    """The text the atlas is built over."""

    kind: str = Field(description="python_stdlib, text, jsonl, parquet, huggingface or an extension.")
    paths: list[str] = Field(
        default_factory=list, description="Files, folders or globs (text, jsonl, parquet)."
    )
    name: str | None = Field(default=None, description="Dataset name or local folder (huggingface).")
    subset: str | None = Field(default=None, description="Dataset configuration (huggingface).")
    split: str = Field(default="train", description="Dataset split (huggingface).")
    revision: str | None = Field(
        default=None, description="Dataset revision (huggingface); pin it to be reproducible."
    )
    text_column: str = Field(
        default="text", description="Column or key that holds the text (jsonl, parquet, huggingface)."
    )
    name_column: str | None = Field(default=None, description="Column or key that names the document.")
    source_column: str | None = Field(
        default=None,
        description="Column or key that says what part of the corpus a document is from (jsonl, parquet,"
        " huggingface). Default: its file, or the subset.",
    )
    context_size: int | None = Field(
        default=None, ge=2, description="Tokens per packed sequence. Default: as the SAE was trained."
    )
    tokens: int = Field(
        default=1_000_000, ge=1, description="Token budget: the pass stops at the first full context past it."
    )
    shuffle: bool = Field(
        default=False,
        description="Take the documents in a seeded random order (needs a corpus of known length).",
    )
    seed: int = Field(default=0, description="Seed of the document order and of every sample.")


class MaskConfig(_Section):
    """Which tokens count. One mask for every statistic."""

    special_tokens: bool = Field(default=True, description="Leave out special tokens (BOS, EOS, padding).")
    first_positions: int = Field(
        default=0, ge=0, description="Also leave out the first n positions of every context."
    )


class PassConfig(_Section):
    """The one pass over the corpus."""

    batch_contexts: int = Field(
        default=16, ge=1, description="Contexts per forward pass; a fixed shape, the last batch is padded."
    )
    top_examples: int = Field(
        default=20, ge=1, le=200, description="Strongest examples per feature, one per context."
    )
    interval_count: int = Field(
        default=5, ge=1, le=20, description="Equal-width intervals of strength over (0, max]."
    )
    interval_examples: int = Field(default=4, ge=0, le=50, description="Examples per interval.")
    random_examples: int = Field(
        default=8, ge=0, le=100, description="Examples from random contexts in which the feature fires."
    )
    counter_examples: int = Field(
        default=4,
        ge=0,
        le=50,
        description="Counter-examples per feature of each kind (its top token without it; contexts it"
        " just misses); 0 for none.",
    )
    sample_tokens: int = Field(
        default=65_536,
        ge=0,
        description="Tokens on which features are seen together: co-activation and counter-examples rest"
        " on them. Whole contexts drawn by a hash, all firings there kept in memory (8 bytes each); 0 for"
        " neither.",
    )
    window_before: int = Field(
        default=26, ge=0, le=512, description="Tokens shown before an example's own token."
    )
    window_after: int = Field(default=14, ge=0, le=512, description="Tokens shown after it.")
    loss_tokens: int = Field(
        default=16_384,
        ge=0,
        description="Tokens at the start of the corpus on which the model's loss with and without each SAE is"
        " measured after the pass: two forward passes of the whole model per SAE, and one more. 0: none.",
    )
    mask: MaskConfig = Field(default_factory=MaskConfig, description="Which tokens count.")
    checkpoint_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Seconds between commits of an unfinished pass to disk; 0 commits after every batch.",
    )


class EnrichConfig(_Section):
    """What is computed from the weights and the tables after the pass."""

    logit_effects: int = Field(
        default=10, ge=1, le=100, description="Tokens kept at each end of the logit effects."
    )
    fold_final_norm: bool = Field(
        default=True,
        description="Pages show logit effects with the final norm's scale folded and the vocabulary's mean"
        " removed; false: the raw ones, W_dec · W_U. The dataset has both, and pages say which they show.",
    )
    effects: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Measure what ablating each feature does to its strongest examples. auto: for models of"
        " up to 50 million parameters on a CPU, 1 billion elsewhere.",
    )
    effect_examples: int = Field(
        default=1, ge=1, le=5, description="Strongest examples per feature on which effects are measured."
    )
    neighbours: int = Field(default=10, ge=1, le=100, description="Most similar features kept per feature.")
    umap_neighbors: int = Field(default=15, ge=2, description="umap-learn's n_neighbors.")
    umap_min_dist: float = Field(default=0.1, ge=0, le=1, description="umap-learn's min_dist.")
    explanations: str | None = Field(
        default=None,
        description="JSONL of your own explanations ({sae, feature_idx, text, method?, score?}); they win.",
    )


class RenderConfig(_Section):
    """The site."""

    theme: str = Field(default="default", description="An installed theme, or a folder with theme.yaml.")
    examples_per_feature: int = Field(
        default=20, ge=1, description="Top examples written to the site per feature."
    )
    static_examples: int = Field(
        default=4, ge=1, description="Top examples in the HTML itself, readable without JavaScript."
    )
    features_per_shard: int = Field(default=16, ge=1, le=256, description="Features per data file.")
    site_budget: str | None = Field(
        default="1GB",
        description="Largest site to write (e.g. 900MB). A larger one holds fewer and shorter examples"
        " instead, and says so; it is refused, with figures, where even the least is over.",
    )
    webgpu: bool = Field(
        default=False,
        description="With `browser_model`: bring the runtime for graphics processors too (5 MB of site)."
        " Readers whose browser offers WebGPU may choose it.",
    )


class OutputConfig(_Section):
    """Where results go, relative to the config file."""

    data: str = Field(default="build/data", description="The dataset folder.")
    site: str = Field(default="build/site", description="The site folder.")


class SiteConfig(_Section):
    """The whole of `site_config.yaml`."""

    title: str = Field(min_length=1, max_length=200, pattern=NOT_BLANK, description="Name of the atlas.")
    description: str = Field(
        default="", max_length=2000, description="What this atlas shows, one or two sentences."
    )
    author: str = Field(
        default="", max_length=500, description="Who made it (shown on the about page and in citations)."
    )
    base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="Where the site will be published; makes canonical links absolute.",
    )
    model: ModelConfig = Field(description="The language model.")
    saes: Annotated[list[SaeConfig], Field(min_length=1)] = Field(
        description="One or more SAEs of that model."
    )
    corpus: CorpusConfig = Field(description="The text.")
    stream: PassConfig = Field(default_factory=PassConfig, alias="pass", description="The one pass.")
    enrich: EnrichConfig = Field(default_factory=EnrichConfig, description="After the pass.")
    browser_model: bool = Field(
        default=False,
        description="Put the model itself into the site: readers type text and steer features in their"
        " browser. Adds its size to dataset and site (docs: The model in the browser); needs the extra"
        " `onnx`.",
    )
    browser_precision: Literal["auto", "fp32", "fp16", "int8"] = Field(
        default="auto",
        description="How its weights are stored. auto: fp32 up to 32 MB, fp16 up to 100 MB, int8 beyond.",
    )
    render: RenderConfig = Field(default_factory=RenderConfig, description="The site.")
    output: OutputConfig = Field(default_factory=OutputConfig, description="Output folders.")
