/** placeholder until the report's renderer is joined. */
export function renderReview(x: unknown): string {
  return `## Findings\n\n${JSON.stringify(x, null, 1)}`
}
