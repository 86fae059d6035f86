import { SealError } from '../errors.ts'

const NAME = /\{\{\s*([^{}]*?)\s*\}\}/g
const VALID = /^[a-z][a-z0-9-]*$/

/** The names that a template asks for, each once, in order. */
export function namesIn(template: string): readonly string[] {
  return [...new Set([...template.matchAll(NAME)].map(([, name]) => name as string))]
}

/**
 * Puts values in the places of `{{name}}`, and nothing else: no conditions, no loops, and what comes
 * out of a value is not looked at again. A name without a value, and braces that belong to no name,
 * throw SEAL_INPUT_INVALID: half a report is worse than none.
 */
export function fillTemplate(
  file: string,
  template: string,
  values: Readonly<Record<string, string>>,
): string {
  const unknown = namesIn(template).filter((name) => !VALID.test(name) || !(name in values))
  if (unknown.length > 0) {
    const known = Object.keys(values).join(', ')
    const names = unknown.map((name) => `{{${name}}}`).join(', ')
    throw new SealError(
      'SEAL_INPUT_INVALID',
      `${file} asks for ${names}, which nobody knows; there are ${known}`,
    )
  }
  const rest = template.replaceAll(NAME, '')
  if (rest.includes('{{') || rest.includes('}}')) {
    throw new SealError('SEAL_INPUT_INVALID', `${file} has braces that belong to no name`)
  }
  return template.replaceAll(NAME, (_, name: string) => values[name] as string)
}
