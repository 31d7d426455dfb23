"""What this machine makes of charts that came with built parts."""

from __future__ import annotations

import yaml

from taskservice_infra.local_machine import without_descriptions

DEFINITION = """\
{{- if .Values.crds.enabled }}
kind: CustomResourceDefinition
spec:
  schema:
    description: |-
      Told over several lines:

      - description: even with a list
    properties:
      description:
        description: A field of that name,
          whose own text goes on.
        type: string
      name: {type: string}
{{- end }}
"""


def test_texts_of_fields_are_left_out_and_fields_of_that_name_stay() -> None:
    short = without_descriptions(DEFINITION)
    assert short.splitlines()[0] == "{{- if .Values.crds.enabled }}"
    assert short.splitlines()[-1] == "{{- end }}"
    assert yaml.safe_load("\n".join(short.splitlines()[1:-1])) == {
        "kind": "CustomResourceDefinition",
        "spec": {
            "schema": {"properties": {"description": {"type": "string"}, "name": {"type": "string"}}},
        },
    }
