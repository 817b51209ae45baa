"""JSON Schema of the recipe, from which editors complete and check keys.

`python -m asr.recipe.json_schema > recipes/recipe.schema.json` writes it; a recipe names it in its first line:
`# yaml-language-server: $schema=../recipe.schema.json`.
"""

import json
from typing import Any

from asr.recipe.schema import Recipe


def recipe_json_schema() -> dict[str, Any]:
    """The schema as plain values (JSON Schema 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}


if __name__ == "__main__":
    print(json.dumps(recipe_json_schema(), indent=2, ensure_ascii=False))
