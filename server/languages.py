"""Which language a text is in, for tiers that know only some of them; the identifier comes with the extra `language`.

Its scores are over some hundred languages at once, so a short text is often not certain of any; what is not certain closes no tier.
"""

from collections.abc import Callable, Iterable

from router.errors import ConfigError

CERTAIN = 0.5
_LONGEST = 2000


def identifier(wanted: Iterable[tuple[str, str]]) -> Callable[[str], str | None]:
    """What names a text's language by its ISO 639-1 code, `None` where that is not certain; loading takes a second or so.

    `wanted` are the keys and languages of the configuration: ConfigError for one that nobody can tell, or without the extra.
    """
    asked = tuple(wanted)
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # numpy and a model of 4.6 MB: only who asks for it pays
    except ImportError as error:
        raise ConfigError(f"{asked[0][0]}: it needs the extra: pip install 'smallfirst[language]'", param=asked[0][0]) from error
    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    for key, language in asked:
        if language not in found.labels:
            raise ConfigError(f"{key}: {language!r} is no language that can be told, such as en, de or zh", param=key)

    def told(text: str) -> str | None:
        language, probability = found.classify(text[-_LONGEST:])
        return str(language) if probability >= CERTAIN else None

    return told
