/** A 2-D canvas that keeps the picture it was given. */
export class FakeCanvas {
  image: Uint8ClampedArray = new Uint8ClampedArray();
  width: number;
  height: number;
  private readonly gl: unknown;

  constructor(width = 100, height = 80, gl: unknown = null) {
    this.width = width;
    this.height = height;
    this.gl = gl;
  }

  getContext(kind: string): unknown {
    if (kind !== "2d") return this.gl;
    return {
      createImageData: (width: number, height: number) => ({
        width,
        height,
        data: new Uint8ClampedArray(width * height * 4),
      }),
      putImageData: ({ data }: { data: Uint8ClampedArray }) => void (this.image = data),
    };
  }

  at(x: number, y: number): number[] {
    return [...this.image.subarray((y * this.width + x) * 4, (y * this.width + x) * 4 + 3)];
  }

  get element(): HTMLCanvasElement {
    return this as unknown as HTMLCanvasElement;
  }
}
