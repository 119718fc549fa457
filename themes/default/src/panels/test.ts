import "../elements/test-offer.ts";
import { html, nothing } from "../core/lit.ts";
import { registerPanel } from "./registry.ts";

registerPanel("test", {
  draw: (_, { data }) => (data.site.model ? html`<atlas-test-offer .data=${data}></atlas-test-offer>` : nothing),
});
