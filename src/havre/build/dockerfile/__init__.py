"""The Dockerfile language: text -> nodes with positions -> typed instructions -> stages. Nothing here does I/O."""
