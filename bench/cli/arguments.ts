import { InvalidArgumentError } from 'commander'

/** A whole number above 0. */
export function wholeNumber(text: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('not a whole number above 0')
  return n
}

/** A whole number. */
export function wholeNumberOr0(text: string): number {
  return text === '0' ? 0 : wholeNumber(text)
}

/** Bytes of a value, or `mix`. */
export function sizeOf(text: string): number | 'mix' {
  return text === 'mix' ? 'mix' : wholeNumber(text)
}

/** The parser of an argument that is one of some words. */
export function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((one) => one === text)
    if (word === undefined) throw new InvalidArgumentError(`not one of ${words.join(', ')}`)
    return word
  }
}

/** The parser of an argument that is some of some words, with commas between them. */
export function wordsOf<T extends string>(words: readonly T[]): (text: string) => readonly T[] {
  return (text) => text.split(',').map(oneOf(words))
}

/** Collects the values of an option that may be repeated. */
export function append(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}
