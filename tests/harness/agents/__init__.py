"""The rules of the Agentic Commerce Protocol, version 2026-04-17, as a reader of its specification writes them down."""
