/**
 * Text with control characters, directions and all else that has no glyph as `\u{1b}`. What others
 * wrote (metadata of objects, say) must not steer the terminal.
 */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}
