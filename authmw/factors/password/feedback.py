"""What a person is told about a weak password: one warning, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

WARNINGS: Mapping[str, str] = {
    "AWordByItselfIsEasyToGuess": "One word alone is easily guessed.",
    "CommonNamesAndSurnamesAreEasyToGuess": "Common first and last names are easily guessed.",
    "DatesAreOftenEasyToGuess": "Dates are easily guessed.",
    "NamesAndSurnamesByThemselvesAreEasyToGuess": "A name alone is easily guessed.",
    "RecentYearsAreEasyToGuess": "Recent years are easily guessed.",
    "RepeatsLikeAaaAreEasyToGuess": "The same letter again and again is easily guessed.",
    "RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess": "Something repeated is hardly better than the same thing once.",
    "SequencesLikeAbcAreEasyToGuess": "Letters or digits in their usual order are easily guessed.",
    "ShortKeyboardPatternsAreEasyToGuess": "Neighbouring keys are easily guessed.",
    "StraightRowsOfKeysAreEasyToGuess": "A row of keys is easily guessed.",
    "ThisIsACommonPassword": "Many people use this password.",
    "ThisIsATop100Password": "This is one of the hundred most used passwords.",
    "ThisIsATop10Password": "This is one of the ten most used passwords.",
    "ThisIsSimilarToACommonlyUsedPassword": "Many people use a password like this one.",
}
"""Words for each warning of the estimator, by its name there."""

SUGGESTIONS: Mapping[str, str] = {
    "AddAnotherWordOrTwo": "Add a word or two, the less usual the better.",
    "AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase": "Capitals throughout are no harder to guess than none.",
    "AvoidDatesAndYearsThatAreAssociatedWithYou": "Leave out dates and years that have to do with you.",
    "AvoidRecentYears": "Leave out recent years.",
    "AvoidRepeatedWordsAndCharacters": "Leave out repeated words and letters.",
    "AvoidSequences": "Leave out sequences.",
    "AvoidYearsThatAreAssociatedWithYou": "Leave out years that have to do with you.",
    "CapitalizationDoesntHelpVeryMuch": "A capital at the beginning hardly helps.",
    "NoNeedForSymbolsDigitsOrUppercaseLetters": "Symbols, digits and capitals are not needed.",
    "PredictableSubstitutionsDontHelpVeryMuch": "Usual replacements, such as @ for a, hardly help.",
    "ReversedWordsArentMuchHarderToGuess": "A word backwards is hardly harder to guess.",
    "UseAFewWordsAvoidCommonPhrases": "Use several words that do not belong together.",
    "UseALongerKeyboardPatternWithMoreTurns": "Use a longer pattern of keys with more turns.",
}
"""Words for each suggestion of the estimator, by its name there."""

TOO_SHORT = "The password is too short."
LONGER = "Use more characters; a few words are easy to remember."
COMMON = WARNINGS["ThisIsACommonPassword"]
OWN_WORDS = "The password is a word that has to do with you or with this service."
BREACHED = "This password has been seen in a data breach."
OTHER = "Choose one that you use nowhere else."
MORE_KINDS = "Mix more kinds of characters: small letters, capitals, digits, symbols."
EASY = "The password is easily guessed."
