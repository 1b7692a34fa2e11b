"""The sweep file: YAML with its lines kept, validated; and what its variants allow."""
