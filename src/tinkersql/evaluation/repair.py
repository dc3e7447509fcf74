"""Give an answer that does not run back to the model, once, with the database's error."""


def repair_prompt(prompt: str, sql: str, error: str) -> str:
    """The prompt that asks again: the first prompt, the query, its error as an SQL comment, and the prompt's last line.

    With the default template the end reads::

        SQL:  SELECT nome FROM ducks
        -- Error: no such column: nome
        SQL:

    Args:
        prompt: What the model was given at first.
        sql: The query that it wrote; may be empty.
        error: What the database said, on one line.
    """
    last_line = prompt.rpartition("\n")[2]
    return f"{prompt} {sql}\n-- Error: {error}\n{last_line}"
