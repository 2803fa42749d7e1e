/** A timeline as a Mermaid sequence diagram. */
import type { Message, Participant } from './timeline.ts'

/** Participants in the order in which they first speak; refused and dead messages have a cross at their end. */
export function mermaidSequence(messages: readonly Message[]): string {
  const aliases = new Map<string, string>()
  const lines: string[] = []
  const declare = ({ id, label, kind }: Participant): string => {
    const known = aliases.get(id)
    if (known !== undefined) return known
    const alias = `p${aliases.size + 1}`
    aliases.set(id, alias)
    const shape = kind === 'outside' ? 'actor' : 'participant'
    const told = label === id || id === '' ? label : `${label} (${shortId(id)})`
    lines.push(`  ${shape} ${alias} as ${mermaidText(told)}`)
    return alias
  }
  const spoken = messages.map(({ from, to, type, fate, note }) => {
    const arrow = fate === 'taken' ? '->>' : '--x'
    const said = [fate === 'taken' ? type : `${type} (${fate})`, note].filter((part) => part).join(': ')
    return `  ${declare(from)}${arrow}${declare(to)}: ${mermaidText(said)}`
  })
  return ['sequenceDiagram', ...lines, ...spoken, ''].join('\n')
}

/** The end of an id tells it from its neighbours; the beginning is the same for all of one second. */
function shortId(id: string): string {
  return id.length <= 16 ? id : `…${id.slice(-6)}`
}

/** Mermaid ends a statement at a line end or a semicolon, and a hash begins a character's number. */
export function mermaidText(text: string): string {
  return text
    .slice(0, 200)
    .replaceAll('#', '#35;')
    .replaceAll(/;(?<!#35;)/g, '#59;')
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll(/[<>"]/g, (mark) => `#${mark.charCodeAt(0)};`)
}
