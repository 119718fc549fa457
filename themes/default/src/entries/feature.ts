// The feature page.
import "virtual:panels";
import "../elements/examples.ts";
