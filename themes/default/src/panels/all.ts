// Every panel of the default theme.
import "./coords.ts";
import "./data.ts";
import "./histogram.ts";
import "./lists.ts";
import "./logits.ts";
import "./scalar.ts";
import "./test.ts";
import "./token-list.ts";
import "./tokens.ts";
