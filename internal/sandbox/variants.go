package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

func (c *call) listVariants() reply {
	p, _ := c.product()
	if p == nil {
		return notFound()
	}
	return listV3(p.variants, c.query)
}

func (c *call) listAllVariants() reply {
	ids, bad := c.idFilter("id:in")
	if bad != nil {
		return *bad
	}
	sku := c.query.Get("sku")
	var all []*variant
	for _, p := range c.shop.products {
		for _, v := range p.variants {
			if (ids == nil || slices.Contains(ids, v.ID)) && (sku == "" || v.SKU == sku) {
				all = append(all, v)
			}
		}
	}
	return listV3(all, c.query)
}

// variant returns the variant of the second id in the path, and its place in the product.
func (c *call) variant(p *product) (*variant, int) {
	at := slices.IndexFunc(p.variants, func(v *variant) bool { return v.ID == c.ids[1] })
	if at < 0 {
		return nil, -1
	}
	return p.variants[at], at
}

func (c *call) getVariant() reply {
	p, _ := c.product()
	if p == nil {
		return notFound()
	}
	v, _ := c.variant(p)
	if v == nil {
		return notFound()
	}
	return data(v)
}

func (c *call) numberVariant(p *product, v *variant) {
	sku := take(&c.shop.next.sku)
	v.ID, v.ProductID, v.SKUID = take(&c.shop.next.variant), p.ID, &sku
}

func (c *call) fireSKU(what string, v *variant) {
	if v.SKUID == nil {
		return
	}
	c.fire("store/sku/"+what, map[string]any{
		"type": "sku", "id": *v.SKUID,
		"sku": map[string]any{"product_id": v.ProductID, "variant_id": v.ID},
	})
}

func (c *call) createVariant() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	v := &variant{}
	if err := json.Unmarshal(c.body, v); err != nil {
		return c.badJSON(err)
	}
	if len(v.OptionValues) == 0 {
		return unprocessable("option_values", wordsMissing)
	}
	if len(p.variants) >= 600 {
		return full("600 variants of a product")
	}
	if bad := c.checkSKU(v); bad != nil {
		return *bad
	}
	c.numberVariant(p, v)
	made := p.copyForWriting()
	made.variants = append(slices.Clone(p.variants), v)
	c.replace(at, &made)
	c.fireSKU("created", v)
	c.fire("store/product/updated", thing{"product", p.ID})
	return data(made.variants[len(made.variants)-1])
}

// checkSKU refuses a SKU that another variant of the store has.
func (c *call) checkSKU(v *variant) *reply {
	for _, p := range c.shop.products {
		for _, other := range p.variants {
			if v.SKU != "" && other.ID != v.ID && strings.EqualFold(other.SKU, v.SKU) {
				return conflict("sku", "The variant sku is a duplicate")
			}
		}
	}
	return nil
}

func (c *call) updateVariant() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	v, place := c.variant(p)
	if v == nil {
		return notFound()
	}
	changed := *v
	changed.OptionValues = slices.Clone(v.OptionValues)
	changed.unshare()
	if err := json.Unmarshal(c.body, &changed); err != nil {
		return c.badJSON(err)
	}
	changed.ID, changed.SKUID = v.ID, v.SKUID
	if bad := c.checkSKU(&changed); bad != nil {
		return *bad
	}
	made := p.copyForWriting()
	made.variants = slices.Clone(p.variants)
	made.variants[place] = &changed
	c.replace(at, &made)
	c.fireSKU("updated", &changed)
	if v.InventoryLevel != changed.InventoryLevel && v.SKUID != nil {
		c.fire("store/sku/inventory/updated", map[string]any{
			"type": "sku", "id": *v.SKUID, "inventory": map[string]any{
				"product_id": p.ID, "method": "absolute", "value": changed.InventoryLevel, "variant_id": v.ID,
			},
		})
	}
	return data(made.variants[place])
}

// unshare gives the numbers that may be null a place of their own, as decoding writes into it.
func (v *variant) unshare() {
	for _, at := range []**float64{&v.Price, &v.SalePrice, &v.RetailPrice, &v.MapPrice, &v.Weight, &v.FixedCostShipping} {
		if *at != nil {
			n := **at
			*at = &n
		}
	}
}

func (c *call) deleteVariant() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	v, place := c.variant(p)
	if v == nil {
		return notFound()
	}
	made := p.copyForWriting()
	made.variants = slices.Delete(slices.Clone(p.variants), place, place+1)
	c.replace(at, &made)
	c.fireSKU("deleted", v)
	return noContent()
}

func (c *call) listImages() reply {
	p, _ := c.product()
	if p == nil {
		return notFound()
	}
	return listV3(p.images, c.query)
}

// image returns the image of the second id in the path, and its place in the product.
func (c *call) image(p *product) (*productImage, int) {
	at := slices.IndexFunc(p.images, func(i *productImage) bool { return i.ID == c.ids[1] })
	if at < 0 {
		return nil, -1
	}
	return p.images[at], at
}

func (c *call) getImage() reply {
	p, _ := c.product()
	if p == nil {
		return notFound()
	}
	found, _ := c.image(p)
	if found == nil {
		return notFound()
	}
	return data(found)
}

// imageInput is how an image is named: by an address BigCommerce would fetch. The sandbox
// fetches nothing.
type imageInput struct {
	ImageURL    string `json:"image_url"`
	IsThumbnail bool   `json:"is_thumbnail"`
	SortOrder   int64  `json:"sort_order"`
	Description string `json:"description"`
}

func (in imageInput) image(p *product, place int) productImage {
	file := in.ImageURL[strings.LastIndex(in.ImageURL, "/")+1:]
	return productImage{
		ProductID: p.ID, IsThumbnail: in.IsThumbnail || place == 0, SortOrder: in.SortOrder,
		Description: in.Description, ImageFile: file,
	}
}

func (c *call) createImage() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	var in imageInput
	if err := json.Unmarshal(c.body, &in); err != nil {
		return c.badJSON(err)
	}
	if in.ImageURL == "" {
		return unprocessable("image_url", wordsMissing)
	}
	if len(p.images) >= 1000 {
		return full("1000 images of a product")
	}
	image := c.shop.newImage(in.image(p, len(p.images)), c.now)
	made := p.copyForWriting()
	made.images = append(slices.Clone(p.images), image)
	c.replace(at, &made)
	c.fire("store/product/updated", thing{"product", p.ID})
	return data(image)
}

func (c *call) deleteImage() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	found, place := c.image(p)
	if found == nil {
		return notFound()
	}
	made := p.copyForWriting()
	made.images = slices.Delete(slices.Clone(p.images), place, place+1)
	c.replace(at, &made)
	c.fire("store/product/updated", thing{"product", p.ID})
	return noContent()
}
